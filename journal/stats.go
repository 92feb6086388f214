package journal

import "time"

// Stats is what a journal did since it was opened, and what it holds. Counts only
// grow.
type Stats struct {
	Next     uint64 // number of the next record
	Segments int
	Bytes    int64 // of all segments

	Appended      int64 // calls made durable
	AppendedBytes int64
	Syncs         int64 // writes made durable, each of a batch
	Failures      int64 // writes that failed; they are tried again
	Refused       int64 // appends with a call that fits into no record
	TornBytes     int64 // cut off the end when the journal was opened
	LostRecords   int64 // at the end, which a follower had and the journal has not

	Failing  string    // why the last write failed; "" when it did not
	Checked  time.Time // when the last checkpoint was signed; zero when none is known of
	Unsigned int       // calls after it

	// What was given up at the bounds of size and age.
	DroppedBodies int64 // calls whose content was dropped
	DroppedCalls  int64 // calls that were dropped before every follower had them

	Followers []FollowerStats // in the order of their names

	failing error
}

// FollowerStats is how one follower gets on.
type FollowerStats struct {
	Name string
	// What it does not have yet: records, their bytes, and for how long the oldest
	// of them has waited. All 0 when it has everything.
	LagRecords int64
	LagBytes   int64
	Lag        time.Duration

	Delivered int64 // calls that it took
	Retries   int64 // attempts after the first
	Dropped   int64 // records that were gone, or damaged, before it got them
	Unread    int64 // of these, records that are there and cannot be read
	LastError string
}

// Stats returns a snapshot. It is cheap enough for every scrape.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stat
	s.Next = j.durable
	s.Checked, s.Unsigned = j.checked, j.unsigned
	if s.failing != nil {
		s.Failing = s.failing.Error()
	}
	s.Segments = len(j.segments)
	for _, seg := range j.segments {
		s.Bytes += seg.size
	}
	s.Followers = make([]FollowerStats, 0, len(j.followers))
	for _, f := range j.followers {
		s.Followers = append(s.Followers, f.statsLocked(j, time.Now()))
	}
	return s
}
