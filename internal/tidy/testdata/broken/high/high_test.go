package high

import (
	_ "example.org/tool"
	"time"
)

func now() { panic(time.Now()) }

func TestThere() {}
