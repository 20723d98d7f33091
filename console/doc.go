// Package console is the server's HTTP side: health, metrics, profiles, and a page that leads to them.
//
//	/                   the page: what the server is, its objects and their state
//	/livez   /api/livez     200 while the server does its work; else 503 and why
//	/readyz  /api/readyz    200 when every object can be read, else 503; with ?verbose a line for each object
//	/metrics            Prometheus's text form; docs/metrics.md lists them
//	/api/sql, /api/subscribe  SQL and subscriptions: package api
//	/debug/pprof/       Go's profiles, for callers on the same machine only
//
// Contract: beside package api nothing here changes the server, and no answer holds the data of a row. Objects are named as in SQL; no
// metric has a label taken from data. Every page forbids the browser whatever it does not need.
//
// It asks the server through the functions in Options and the interface Sampler, so that it knows nothing of
// planning or storage. Start reading at server.go, then metrics.go.
package console
