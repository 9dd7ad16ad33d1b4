package main

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"embedseal/adapters/vault/vaulttest"
	"embedseal/configs"
)

// vaultBench is the product with a store in a real Vault, as serve runs it.
func vaultBench(b *testing.B, server *vaulttest.Server) bench {
	b.Helper()
	return newBenchWith(b, map[string]string{"store": storeVault, "vault.addresses": server.Address},
		[]string{"EMBEDSEAL_VAULT_TOKEN=" + server.Token})
}

// BenchmarkVaultMint mints with keys in Vault's KV engine next to bbolt, in
// turns of a thousand, with the cache as it is by default. It reports how much
// of bbolt's rate Vault's is, by the median of the turns and their quartiles: by the
// clock, and by the processor time of the mints, which others on the machine change
// less.
func BenchmarkVaultMint(b *testing.B) {
	const turn = 1000
	inVault, inBolt := vaultBench(b, vaulttest.Dev(b)).minting(b), newBench(b).minting(b)
	runtime.LockOSThread() // whose processor time is measured
	var ratios, cpuRatios []float64
	var vaultTook, boltTook time.Duration
	for b.Loop() {
		for range 20 {
			var now, cpu [2]time.Duration
			for i := range 2 { // neither is always the first
				which := (i + len(ratios)) % 2
				begin := time.Now()
				cpu[which] = threadTime(b, turn, []func(){inVault, inBolt}[which])
				now[which] = time.Since(begin)
			}
			vaultTook, boltTook = vaultTook+now[0], boltTook+now[1]
			ratios = append(ratios, now[1].Seconds()/now[0].Seconds())
			cpuRatios = append(cpuRatios, cpu[1].Seconds()/cpu[0].Seconds())
		}
	}
	slices.Sort(ratios)
	slices.Sort(cpuRatios)
	mints := float64(len(ratios) * turn)
	b.ReportMetric(float64(vaultTook.Nanoseconds())/mints, "vault-ns/mint")
	b.ReportMetric(float64(boltTook.Nanoseconds())/mints, "bbolt-ns/mint")
	b.ReportMetric(ratios[len(ratios)/2], "vault/bbolt")
	b.ReportMetric(ratios[len(ratios)/4], "p25")
	b.ReportMetric(ratios[len(ratios)*3/4], "p75")
	b.ReportMetric(cpuRatios[len(ratios)/2], "cpu-vault/bbolt")
	b.ReportMetric(cpuRatios[len(ratios)/4], "cpu-p25")
	b.ReportMetric(cpuRatios[len(ratios)*3/4], "cpu-p75")
	b.ReportMetric(0, "ns/op")
}

func times(n int, do func()) time.Duration {
	begin := time.Now()
	for range n {
		do()
	}
	return time.Since(begin)
}

// BenchmarkVaultColdStart is from nothing to the first token: log in, look at the
// mount, read group and ring, mint.
func BenchmarkVaultColdStart(b *testing.B) {
	server := vaulttest.Dev(b)
	warm := vaultBench(b, server)
	cfg, err := configs.Load(configs.Input{
		Flags:   map[string]string{"store": storeVault, "vault.addresses": server.Address},
		Environ: []string{"EMBEDSEAL_VAULT_TOKEN=" + server.Token},
	})
	must(b, err)
	for b.Loop() {
		s, release, err := openStores(b.Context(), cfg, nil)
		must(b, err)
		cold := warm
		cold.stores = s
		cold.minting(b)()
		release()
	}
}

// BenchmarkVaultMiss is what the first mint after a quiet time waits for: one
// group and one ring read from Vault.
func BenchmarkVaultMiss(b *testing.B) {
	server := vaulttest.Dev(b)
	vaultBench(b, server)
	cfg, err := configs.Load(configs.Input{
		Flags:   map[string]string{"store": storeVault, "vault.addresses": server.Address},
		Environ: []string{"EMBEDSEAL_VAULT_TOKEN=" + server.Token},
	})
	must(b, err)
	s, release, err := vaultStores(b.Context(), vaultConfig(cfg))
	must(b, err)
	defer release()
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.Groups.Group(b.Context(), firstGroup)
		must(b, err)
		_, err = s.Keys.Ring(b.Context(), firstGroup)
		must(b, err)
	}
}
