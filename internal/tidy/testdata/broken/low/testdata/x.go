package hidden

func init() {}
