// Package sealed answers the questions of ports.KeyStore, ports.GroupStore,
// ports.AuditStore and ports.RevocationStore from sealed records, whatever medium
// they lie in.
package sealed
