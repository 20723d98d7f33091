// Package webhook is the source whose records are the bodies of HTTP requests.
//
// Contract: a request is taken whole or not at all. Its rows land in one tick, and who sent it is answered when that tick is durable, so
// that what was answered is never lost; who got no answer does not know, and may send it again. What waits is bounded: a request for which
// there is no room is refused at once.
//
// It knows bodies and headers, and no HTTP server: console/api hands requests in by way of the coordinator. Start reading at source.go;
// body.go makes rows of bodies.
package webhook
