// Package nexmark makes up the events of an auction site, after the Nexmark benchmark: people register, open auctions, and
// bid.
//
// Events come in epochs of fifty: one person, three auctions, forty-six bids, at a steady pace. Half of the bids go to a hot
// auction, three quarters of sellers and bidders are hot. The n-th event depends on the seed and on all draws before it, so
// the order of the draws is part of the contract: the event files of bench are written from here.
//
// Start reading at generator.go; tables.go has the three tables and an event as a row of one.
package nexmark
