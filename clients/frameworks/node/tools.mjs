// What the tools of all agents here know.
const weather = { Lisbon: "24 degrees, sunny", Porto: "17 degrees, rain", Faro: "27 degrees, sunny" };
const fares = { "Lisbon-Porto": "26 euros", "Lisbon-Faro": "24 euros" };

export function weatherOf({ city }) {
  if (!(city in weather)) throw new Error(`there is no city ${city}`);
  return weather[city];
}

export function fareOf({ origin, destination }) {
  return fares[`${origin}-${destination}`];
}
