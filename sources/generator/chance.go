package generator

// Chance is splitmix64: fast, and the same on every machine. Its zero value is a good start.
type Chance struct{ State uint64 }

// ChanceOf is a source of chance of its own for each list of numbers, such as a table, a key and a version.
func ChanceOf(numbers ...int64) *Chance {
	c := &Chance{}
	for _, n := range numbers {
		c.State ^= uint64(n)
		c.State = c.Next()
	}
	return c
}

// Next draws any number.
func (c *Chance) Next() uint64 {
	c.State += 0x9E3779B97F4A7C15
	z := c.State
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Below draws from [0, n).
func (c *Chance) Below(n int64) int64 { return int64(c.Next() % uint64(n)) }

// Between draws from [low, high].
func (c *Chance) Between(low, high int64) int64 { return low + c.Below(high-low+1) }

// OneIn is true once in n draws.
func (c *Chance) OneIn(n int64) bool { return c.Below(n) == 0 }

// Pick draws one of a list.
func (c *Chance) Pick(list []string) string { return list[c.Below(int64(len(list)))] }

// Letters draws n small letters, eight from each number, lowest byte first.
func (c *Chance) Letters(n int) string {
	text := make([]byte, 0, n)
	for len(text) < n {
		bits := c.Next()
		for range min(8, n-len(text)) {
			text = append(text, 'a'+byte(bits)%26)
			bits >>= 8
		}
	}
	return string(text)
}
