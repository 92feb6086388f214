package pricing

import (
	"encoding/json"
	"fmt"
	"time"
)

// calendar has days on which a window that names it does not apply.
type calendar struct {
	years     map[int]bool
	dates     map[int]bool // see dayNumber
	unchecked bool         // nobody has compared the dates with their source
}

func newCalendar(raw json.RawMessage) (*calendar, error) {
	var f calendarFile
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	cal := &calendar{years: map[int]bool{}, dates: map[int]bool{}, unchecked: f.Unchecked}
	for _, y := range f.Years {
		cal.years[y] = true
	}
	for _, d := range f.Dates {
		t, err := time.Parse(time.DateOnly, d)
		if err != nil {
			return nil, fmt.Errorf("%q is not a date", d)
		}
		if !cal.years[t.Year()] {
			return nil, fmt.Errorf("%s is not in the years that the calendar covers", d)
		}
		cal.dates[dayNumber(t)] = true
	}
	return cal, nil
}

// dayNumber writes a date as one number: 20261121.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return y*10_000 + int(m)*100 + d
}
