// Package walk runs the examples: the README of each folder of examples is the script. Its blocks of SQL and shell are run in order, and
// what the block behind one of them says is what it must print, so what a newcomer pastes is what the tests have run.
//
// A block of ```sql goes to millrace, one of ```sql postgres or ```sql mariadb to the database that the example reads, one of ```sh to bash in
// the root of the repository. `today` or `2021` behind sql means that dialect only. A block of ```text behind one is its answer: the block is repeated until
// it answers so, for what flows through other servers takes a while. In an answer, … stands for what differs from run to run.
//
// Start reading at Run. Package cmd is the program behind examples/run and examples/tool; tests/e2e runs every example in both dialects.
package walk
