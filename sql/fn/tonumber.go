package fn

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// numberTemplate is a template of digits: 9, 0, the point, and where the sign stands.
type numberTemplate struct {
	fill      bool
	sign      string // "", "S" at the front, "s" at the end, "MI", "PL", "SG", "PR"
	signFirst bool
	items     []string // "9", "0", ".", "," and text
	whole     int      // digits before the point
	fraction  int
	firstZero int // the digit, counted from the left, from which zeros print; -1 when there is none
	suffix    string
	hasPoint  bool
}

func badNumberTemplate(why string) *repr.Error { return repr.NewError(repr.CodeSyntax, why) }

func parseNumberTemplate(s string) (t numberTemplate, err *repr.Error) {
	t.fill, t.firstZero = true, -1
	for s != "" {
		n := 1
		upper := strings.ToUpper(s)
		switch {
		case strings.HasPrefix(upper, "FM"):
			t.fill, n = false, 2
		case strings.HasPrefix(upper, "MI"), strings.HasPrefix(upper, "PL"), strings.HasPrefix(upper, "SG"), strings.HasPrefix(upper, "PR"):
			t.sign, n = upper[:2], 2
			if t.sign != "PR" {
				t.items = append(t.items, t.sign)
			}
		case strings.HasPrefix(upper, "TH"):
			t.suffix, n = s[:2], 2
		case strings.HasPrefix(upper, "EEEE"), strings.HasPrefix(upper, "RN"), s[0] == 'V', s[0] == 'v', s[0] == 'L', s[0] == 'l':
			return t, unsupported(`"` + s[:1] + `" in a numeric template`)
		case s[0] == 'S' || s[0] == 's':
			t.sign, t.signFirst = "S", t.whole+t.fraction == 0
		case s[0] == '.' || s[0] == 'D' || s[0] == 'd':
			if t.hasPoint {
				return t, badNumberTemplate("multiple decimal points")
			}
			t.hasPoint = true
			t.items = append(t.items, ".")
		case s[0] == ',' || s[0] == 'G' || s[0] == 'g':
			t.items = append(t.items, ",")
		case s[0] == '9' || s[0] == '0':
			t.digit(s[:1])
		case s[0] == '"':
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				end = len(s) - 2
			}
			t.items = append(t.items, `"`+s[1:1+end])
			n = end + 2
		default:
			t.items = append(t.items, `"`+s[:1])
		}
		s = s[min(n, len(s)):]
	}
	return t, nil
}

func (t *numberTemplate) digit(c string) {
	t.items = append(t.items, c)
	if t.hasPoint {
		t.fraction++
		return
	}
	if c == "0" && t.firstZero < 0 {
		t.firstZero = t.whole
	}
	t.whole++
}

func formatFloat(digits int) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		f := a[0].Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			d, err := pgfmt.ParseNumeric(strconv.FormatFloat(f, 'g', -1, 64))
			if err != nil {
				return repr.Null, err
			}
			return formatNumber(d, a[1].Str())
		}
		d, err := pgfmt.ParseNumeric(strconv.FormatFloat(f, 'g', digits, 64))
		if err != nil {
			return repr.Null, err
		}
		return formatNumber(d, a[1].Str())
	}
}

// formatNumber prints a number by a template.
func formatNumber(d repr.Datum, template string) (repr.Datum, *repr.Error) {
	t, err := parseNumberTemplate(template)
	if err != nil {
		return repr.Null, err
	}
	if !d.NumericFinite() {
		return repr.Null, unsupported("to_char of NaN or infinity")
	}
	coef, _ := pgfmt.NumericBig(pgfmt.RoundNumeric(d, t.fraction))
	neg := coef.Sign() < 0
	digits := new(big.Int).Abs(coef).Text(10)
	for len(digits) <= t.fraction {
		digits = "0" + digits
	}
	whole, fraction := digits[:len(digits)-t.fraction], digits[len(digits)-t.fraction:]
	if whole == "0" {
		whole = ""
	}
	if len(whole) > t.whole {
		whole, fraction = strings.Repeat("#", t.whole), strings.Repeat("#", t.fraction)
	}
	return repr.Text(t.print(whole, fraction, neg)), nil
}

// numberPrinter lays the digits of a number into a template.
type numberPrinter struct {
	t        *numberTemplate
	out      []byte
	whole    string
	fraction string
	neg      bool
	place    int  // digits of the template passed, before the point
	started  bool // a digit, or what stands for the sign before it, has been printed
	inFrac   bool
	last     int // digits of the fraction that print without fill
}

func (t *numberTemplate) print(whole, fraction string, neg bool) string {
	p := numberPrinter{t: t, whole: whole, fraction: fraction, neg: neg, last: len(fraction)}
	if !t.fill {
		p.last = t.lastFraction(fraction)
	}
	if t.whole == 0 {
		p.leadSign()
	}
	for _, it := range t.items {
		p.item(it)
	}
	out := string(p.out)
	switch {
	case t.sign == "S" && !t.signFirst:
		out += p.signText("+", "-")
	case t.sign == "PR" && neg:
		out += ">"
	case t.sign == "PR" && t.fill:
		out += " "
	}
	if t.suffix != "" && !neg && !t.hasPoint && whole != "" {
		th := ordinal(whole)
		if t.suffix == "th" {
			th = strings.ToLower(th)
		}
		out += th
	}
	return out
}

// lastFraction is how many digits of the fraction print when FM drops zeros: those that a 0 of the template asks for, too.
func (t *numberTemplate) lastFraction(fraction string) int {
	n := len(strings.TrimRight(fraction, "0"))
	i, behind := 0, false
	for _, it := range t.items {
		switch {
		case it == ".":
			behind = true
		case behind && (it == "9" || it == "0"):
			i++
			if it == "0" {
				n = max(n, i)
			}
		}
	}
	return n
}

func (p *numberPrinter) signText(plus, minus string) string {
	if p.neg {
		return minus
	}
	return plus
}

// leadSign prints the sign before the first digit, or the blank that stands for it.
func (p *numberPrinter) leadSign() {
	if p.started {
		return
	}
	p.started = true
	switch p.t.sign {
	case "S":
		if p.t.signFirst {
			p.out = append(p.out, p.signText("+", "-")...)
		}
	case "PR":
		if p.neg {
			p.out = append(p.out, '<')
		} else if p.t.fill {
			p.out = append(p.out, ' ')
		}
	case "MI", "PL", "SG":
		if p.t.sign == "PL" && p.neg {
			p.out = append(p.out, '-')
		} else if p.t.sign == "PL" && p.t.fill {
			p.out = append(p.out, ' ')
		}
	default:
		if p.neg {
			p.out = append(p.out, '-')
		} else if p.t.fill {
			p.out = append(p.out, ' ')
		}
	}
}

func (p *numberPrinter) blank() {
	if p.t.fill {
		p.out = append(p.out, ' ')
	}
}

func (p *numberPrinter) item(it string) {
	switch it {
	case "9", "0":
		p.digit()
	case ".":
		if !p.started {
			p.leadSign()
		}
		p.inFrac = true
		if p.last > 0 || p.t.fill {
			p.out = append(p.out, '.')
		} else if p.whole != "" || p.t.firstZero >= 0 || p.t.fraction == 0 || p.t.hasPoint {
			p.out = append(p.out, '.')
		}
	case ",":
		if p.started || p.inFrac {
			p.out = append(p.out, ',')
		} else {
			p.blank()
		}
	case "MI":
		if p.neg {
			p.out = append(p.out, '-')
		} else {
			p.blank()
		}
	case "PL":
		if !p.neg {
			p.out = append(p.out, '+')
		} else {
			p.blank()
		}
	case "SG":
		p.out = append(p.out, p.signText("+", "-")...)
	default:
		p.out = append(p.out, it[1:]...)
	}
}

func (p *numberPrinter) digit() {
	if p.inFrac {
		i := len(p.fraction) - p.t.fraction + p.fractionPlace()
		if i < p.last {
			p.out = append(p.out, p.fraction[i])
		}
		p.place++
		return
	}
	place := p.place
	p.place++
	at := place - (p.t.whole - len(p.whole))
	switch {
	case at >= 0:
		p.leadSign()
		p.out = append(p.out, p.whole[at])
	case p.t.firstZero >= 0 && place >= p.t.firstZero:
		p.leadSign()
		p.out = append(p.out, '0')
	case place == p.t.whole-1 && (p.t.fraction == 0 || p.last == 0):
		p.leadSign()
		p.out = append(p.out, '0')
	default:
		p.blank()
	}
}

func (p *numberPrinter) fractionPlace() int { return p.place - p.t.whole }

// readNumber reads a number that was printed by a template: all but digits, point and sign is passed over.
func readNumber(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	t, err := parseNumberTemplate(a[1].Str())
	if err != nil {
		return repr.Null, err
	}
	var digits []byte
	neg, point := false, false
	for _, c := range []byte(a[0].Str()) {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == '.' && t.hasPoint && !point:
			digits, point = append(digits, c), true
		case c == '-' || c == '<':
			neg = true
		}
	}
	if neg {
		digits = append([]byte{'-'}, digits...)
	}
	if strings.Trim(string(digits), "-.") == "" {
		return repr.Null, repr.NewError(repr.CodeInvalidText, `invalid input syntax for type numeric: " "`)
	}
	return pgfmt.ParseNumeric(string(digits))
}
