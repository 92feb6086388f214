"""What the tools of all agents here know."""

WEATHER = {"Lisbon": "24 degrees, sunny", "Porto": "17 degrees, rain", "Faro": "27 degrees, sunny"}
FARES = {("Lisbon", "Porto"): "26 euros", ("Lisbon", "Faro"): "24 euros"}
