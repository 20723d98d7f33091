package fn

// functionTables are the functions, by family.
var functionTables = [][]row{
	comparisonFunctions,
	booleanFunctions,
	intFunctions,
	floatFunctions,
	numericFunctions,
	textFunctions,
	textFormatFunctions,
	likeFunctions,
	regexFunctions,
	byteaFunctions,
	uuidFunctions,
	jsonFunctions,
	jsonBuildFunctions,
	dateFunctions,
	datePartFunctions,
	toCharFunctions,
	arrayFunctions,
	sessionFunctions,
	catalogFunctions,
	inputFunctions,
}

// operatorTables are the operators, by family.
var operatorTables = [][]row{
	comparisonOperators,
	intOperators,
	floatOperators,
	numericOperators,
	textOperators,
	patternOperators,
	byteaOperators,
	dateOperators,
	arrayOperators,
	jsonOperators,
}
