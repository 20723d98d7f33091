package fn

// family is the table of one file under the name that the documentation gives it.
type family struct {
	name string
	rows []row
}

// functionTables are the functions, by family.
var functionTables = []family{
	{"Comparison", comparisonFunctions},
	{"Booleans", booleanFunctions},
	{"Integers", intFunctions},
	{"Floating point", floatFunctions},
	{"Numeric", numericFunctions},
	{"Strings", textFunctions},
	{"Formatting and quoting", textFormatFunctions},
	{"LIKE and SIMILAR TO", likeFunctions},
	{"Regular expressions", regexFunctions},
	{"Bytes, encodings and hashes", byteaFunctions},
	{"UUID", uuidFunctions},
	{"JSON", jsonFunctions},
	{"Making JSON", jsonBuildFunctions},
	{"Dates and times", dateFunctions},
	{"Parts of dates and times", datePartFunctions},
	{"Templates", toCharFunctions},
	{"Arrays", arrayFunctions},
	{"Session", sessionFunctions},
	{"Catalog", catalogFunctions},
	{"Input", inputFunctions},
}

// operatorTables are the operators, by family.
var operatorTables = []family{
	{"Comparison", comparisonOperators},
	{"Integers", intOperators},
	{"Floating point", floatOperators},
	{"Numeric", numericOperators},
	{"Strings", textOperators},
	{"Patterns", patternOperators},
	{"Bytes", byteaOperators},
	{"Dates and times", dateOperators},
	{"Arrays", arrayOperators},
	{"JSON", jsonOperators},
}
