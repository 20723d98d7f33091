// Package consistency holds the server to its first promise: no reader ever sees a total that no input had.
//
// Writers move money between accounts; the sum over all accounts is always 0. Subscribers, single statements and read
// transactions look at views over views meanwhile, and all must agree at every time. SOAK_TIME makes it run longer.
package consistency
