package walk

import (
	"fmt"
	"strings"
)

// Dialects are the two in which every example is written.
var Dialects = []string{"today", "2021"}

// Parse finds the blocks of a README.
func Parse(readme string) ([]Block, error) {
	var blocks []Block
	var open *Block
	answerable := false // nothing but empty lines since the newest block
	for i, line := range strings.Split(readme, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			language, on, _ := strings.Cut(fence, " ")
			open = &Block{Line: i + 1, Language: language, On: on}
		case isFence:
			var err error
			if blocks, answerable, err = closeBlock(blocks, *open, answerable); err != nil {
				return nil, err
			}
			open = nil
		case open != nil:
			open.Text += line + "\n"
		case line != "":
			answerable = false
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block does not end", open.Line)
	}
	return blocks, nil
}

// closeBlock adds a block, or what it says to the one before; it tells whether an answer may follow.
func closeBlock(blocks []Block, b Block, answerable bool) ([]Block, bool, error) {
	switch b.Language {
	case "sql", "sh":
		if _, known := b.shell(); !known {
			return nil, false, fmt.Errorf("line %d: %q is neither a dialect nor a server", b.Line, b.On)
		}
		return append(blocks, b), true, nil
	case "text":
		if !answerable {
			return nil, false, fmt.Errorf("line %d: the answer follows no block", b.Line)
		}
		last := &blocks[len(blocks)-1]
		last.Answer, last.Checked = b.Text, true
	}
	return blocks, false, nil // what is only to be read
}
