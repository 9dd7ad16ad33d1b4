// Package vault answers the questions of every store from HashiCorp Vault: one
// KV v2 secret for each group and one for each ring.
//
// # Layout
//
//	<mount>/data/<prefix>/groups/acme   the group acme
//	<mount>/data/<prefix>/rings/acme    its keys
//
// A secret holds {"v":1,"write_id":…,"trail":[…],"document":…}. The document is
// the JSON of package codec. write_id is new for every write, and trail has the
// ids of the writes before it: whoever lost the answer to a write reads the
// secret and knows whether it was applied, even when others wrote since. A ring
// whose "purge" is true has earlier versions that hold material of a destroyed
// key, or had them when it was written: the next update looks and finishes.
//
// # Caveats
//
// A secret that somebody deletes with "vault kv delete" is damage here, and is
// not written over: undelete it, or remove it with "vault kv metadata delete".
//
// Vault has no transaction over two secrets. Deleting a group removes the ring
// first: when Vault is lost between the two the group is left without keys, and
// deleting it again finishes.
package vault
