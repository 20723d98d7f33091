// Package s3 speaks to object storage: put, get, list and delete objects of one bucket, with requests that are signed as AWS
// describes it (Signature Version 4). It does not know parts, versions or access lists; objects have up to 5 GB.
package s3
