package golden

import "strings"

// maxDiffLines bounds the texts that Diff aligns line by line: its table grows with the product of both.
const maxDiffLines = 1500

// Diff shows how got differs from want: lines of want only begin with -, lines of got only with +.
func Diff(want, got string) string {
	a, b := splitLines(want), splitLines(got)
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return firstDifference(a, b)
	}
	var out strings.Builder
	emit := func(mark, line string) { out.WriteString(mark + line + "\n") }
	common := commonLengths(a, b)
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			emit("  ", a[i])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			emit("- ", a[i])
			i++
		default:
			emit("+ ", b[j])
			j++
		}
	}
	for ; i < len(a); i++ {
		emit("- ", a[i])
	}
	for ; j < len(b); j++ {
		emit("+ ", b[j])
	}
	return out.String()
}

// commonLengths holds at [i][j] the length of the longest common subsequence of a[i:] and b[j:].
func commonLengths(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

// firstDifference shows the surroundings of the first line that differs.
func firstDifference(a, b []string) string {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	var out strings.Builder
	for _, line := range a[at:min(at+5, len(a))] {
		out.WriteString("- " + line + "\n")
	}
	for _, line := range b[at:min(at+5, len(b))] {
		out.WriteString("+ " + line + "\n")
	}
	return out.String()
}

func splitLines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
