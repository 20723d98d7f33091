// Package api is SQL over HTTP: statements that are answered in JSON, subscriptions as streams of events, and the requests of webhooks.
//
//	POST /api/sql        {"query": "…"} or {"queries": [{"query": "… $1", "params": [1]}]}
//	GET  /api/subscribe  ?view=v or ?subscription=s: server-sent events; lines of JSON for who accepts application/x-ndjson; messages of
//	                     a WebSocket for who upgrades
//	POST /api/webhook/DATABASE/SCHEMA/SOURCE  a body for a webhook source; answered when it is durable
//
// Contract: a stream shows whole times only, in order, and the id of an event is all that is needed to go on behind it. What a request
// holds ends with it. No page of another origin can ask anything, unless the server was told to trust that origin.
//
// It knows SQL as text and a session of the coordinator; start reading at api.go, then sql.go and subscribe.go.
package api
