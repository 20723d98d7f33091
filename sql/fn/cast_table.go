package fn

// castTables are the casts that are not just printing and reading, by family.
var castTables = [][]castRow{
	numberCasts,
	textCasts,
	timeCasts,
	jsonCasts,
	oidCasts,
}
