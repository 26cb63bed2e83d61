// Package transfer moves large bodies: files that are downloaded although the
// connection breaks and the process dies, and uploads that are streamed.
//
//	d := transfer.Download{Client: c, Path: "/v1/exports/{id}/file", Options: []aplomb.CallOption{aplomb.Path("id", id)}}
//	result, err := d.ToFile(ctx, "export.csv")
//
// # What a download does
//
// The bytes go into export.csv.part. A connection that breaks is followed by a
// request for what is missing (Range), on the condition that the file is still
// the same (If-Range); so is a process that is killed, by the next one that calls
// ToFile: beside the part lies export.csv.part.json, which says how much of it is
// on the disk, at most 512 KiB behind. Only what is whole, has the length that
// was stated and the digests that were given gets the name export.csv; nobody
// ever sees a part of it under that name.
//
// To go on, the server has to name what it sends by a strong ETag, or by a
// Last-Modified that is a minute old. Where it does not, or where the file has
// changed meanwhile, a download starts anew, and its [Progress] says so: the
// beginning of one file and the end of another are never put together.
//
// Digests are compared wherever there are any: the server's Repr-Digest, or the
// Content-Digest of a whole answer (RFC 9530), and [Download].SHA256 of the caller.
//
// # What an upload does
//
// An [Upload] is a body that is opened anew for each attempt, so that nothing of
// it is in memory and a retry sends the same bytes. [Multipart] makes one of a
// form's fields and files. Progress begins again with each attempt, and says with
// which.
//
//	form := transfer.Multipart(transfer.Field("purpose", "batch"), transfer.File("file", "batch.jsonl"))
//	file, err := aplomb.Post[File](ctx, c, "/v1/files", form.Body())
//
// Everything goes through the [aplomb.Client], with its credentials, retries,
// limits and breaker.
package transfer
