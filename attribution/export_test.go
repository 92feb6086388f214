package attribution

// HeaderNames lists the rows of the table, for the test that holds it and the
// documentation together.
func HeaderNames() (names []string) {
	for _, r := range headers {
		names = append(names, r.name)
	}
	return names
}
