package mid

func long() {
	_ = 1
	_ = 2
	_ = 3
	_ = 4
}

func accepted() {
	_ = 1
	_ = 2
	_ = 3
	_ = 4
}

func greedy(a, b int, c string) {}

func generous() (int, error) { return 0, nil }

func deep(a, b bool) { // one line each keeps the function short
	for a {
		for b {
			if a {
				panic(b)
			}
		}
	}
}

func chain(a bool) {
	if a {
		return
	} else if a {
		return
	} else if a {
		if a {
			return
		}
	}
}

func literal(a bool) {
	if a {
		if a {
			func() {
				if a {
					return
				}
			}()
		}
	}
}
