package fn

import (
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// A template that remembers what it showed last shows what it shows afresh, whatever came before: times near one another,
// on both sides of midnight, of the epoch and of a year, in two zones.
func TestTemplateRemembers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	around := []int64{0, 86_400_000_000, -86_400_000_000, 366 * 86_400_000_000, -5_000_000 * 86_400_000_000 / 7, 3_600_000_000, 7_260_000_000}
	for _, text := range []string{
		"YYYY-MM-DD", "HH24:MI", "Day DDDth HH12 AM", "SSSS", "MI:SS", "US", "J FF3", "HH24 TZ TZH:TZM OF", "Q WW IW CC BC", "no pattern: \"x\"",
	} {
		afresh := &template{items: timeTemplate(text).items}
		for range 2_000 {
			micros := around[rng.IntN(len(around))] + rng.Int64N(7) - 3
			if rng.IntN(3) == 0 {
				micros += rng.Int64N(7_200_000_000) - 3_600_000_000
			}
			zone, offset := "UTC", 0
			if rng.IntN(3) == 0 {
				zone, offset = "CET", 3600
			}
			got, err := formatTime(micros, false, zone, offset, text)
			days, _ := pgfmt.SplitTimestamp(micros)
			want := timeText{calendar: calendarOf(micros), days: days, zone: zone, offset: offset}.format(afresh)
			if err != nil || got.Str() != want.Str() {
				t.Fatalf("%s of %d: got %q %v, want %q", text, micros, got.Str(), err, want.Str())
			}
		}
	}
	if got, err := formatTime(0, true, "", 0, "YYYY"); err != nil || got.Kind() != repr.KindNull {
		t.Errorf("infinity: got %v %v", got, err)
	}
}
