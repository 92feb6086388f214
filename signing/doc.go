// Package signing signs requests to AWS with credentials of the proxy's own, by
// Signature Version 4.
//
// A signature covers host, path, query, some header fields and the digest of the
// body, so that a request which a caller has signed for another host cannot be
// relayed: it is signed anew. Credentials are those that every AWS program finds:
// environment, shared files, web identity, container and instance role. They are
// fetched and renewed by Run, beside the data path.
package signing
