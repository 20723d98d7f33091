// Package budget counts the memory that the parts of a server hold against what they may hold.
//
// Budgets form a tree: what a statement takes, all statements together take, and so does the server. What is counted is
// what was allocated, a moment after it was: a budget refuses nothing by itself, it says that it is exceeded, and whoever
// works on it ends. Start reading at Budget.
package budget
