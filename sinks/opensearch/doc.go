// Package opensearch writes a view to an index of OpenSearch or Elasticsearch, a document for each key.
//
// The contract: a document has the row of its key at the time of one tick, and its version is the time of the tick that changed
// it last. A write with an older version than that of the document changes nothing, so what is sent again after a failure
// does no harm, and no document ever goes back. There are no transactions: who searches while a commit runs may see some
// documents of a tick before others. Once all of a commit is written, the document of this sink in the index
// millrace-progress names the time that was reached; it is replaced only if it still is what this sink wrote last, so that a second
// writer shows.
//
// A document that the index refuses goes to the sink's errors with the reason, and what the index held under its key goes away; both are
// taken back when the key gets another row.
//
// When the changes since the last commit are not kept any more all documents are written, and those of other keys are deleted.
//
// Start reading at target.go, then bulk.go.
package opensearch
