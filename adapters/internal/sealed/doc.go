// Package sealed answers the questions of ports.KeyStore, ports.GroupStore
// and ports.AuditStore from sealed records, whatever medium they lie in.
package sealed
