// Package folder keeps named contents as files of a folder, as object storage keeps objects: a file is there as a whole or not at all,
// also after a crash, and no name leads out of the folder, not through links either.
package folder
