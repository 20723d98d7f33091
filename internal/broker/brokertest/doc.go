// Package brokertest is for tests of all packages that speak with a broker: it starts one in the process, reads what is committed of a
// topic, at once or as it comes, and adds up what a sink has written.
//
// The contract: nobody sees here what is not committed, and nothing that was started outlives its test. Nothing but tests imports it.
// It uses addresses and the public client only, so a broker of another process is read in the same way.
package brokertest
