package httpapi

import (
	"hash/maphash"
	"math"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"embedseal/ports"
)

// maxBuckets bounds how many names one limiter remembers. Whoever is forgotten
// begins with a full bucket again.
const maxBuckets = 32768

// limiter is a token bucket for each name.
type limiter struct {
	perSecond rate.Limit
	burst     int
	clock     ports.Clock

	mu      sync.Mutex
	buckets recent[bucketName, *rate.Limiter]

	allowed, refused atomic.Uint64
}

// LimitCounts is what a limiter has done since the process began.
type LimitCounts struct {
	// Kind is token (requests of an API token), failure (requests of an address that
	// failed to authenticate), or overload (requests while the server could not keep
	// up), which remembers nobody.
	Kind string
	// Allowed and Refused are requests; one for many tokens counts as many.
	Allowed, Refused uint64
	// Buckets is how many tokens or addresses are remembered now, of MaxBuckets.
	Buckets, MaxBuckets int
}

// Limits tells what the limiters of a listener have done; nothing where they are
// off.
func (f *front) Limits() []LimitCounts {
	var all []LimitCounts
	for _, l := range []struct {
		kind string
		of   *limiter
	}{{"token", f.tokens}, {"failure", f.failures}} {
		if l.of != nil {
			all = append(all, LimitCounts{Kind: l.kind, Allowed: l.of.allowed.Load(), Refused: l.of.refused.Load(),
				Buckets: l.of.remembered(), MaxBuckets: maxBuckets})
		}
	}
	return all
}

// bucketName is whose requests are counted: an API token, by its group and id, or an
// address. It is a hash of them with a seed of this process: names lie in many places in
// memory. That two of the names that are remembered have one bucket is less likely than
// 1 in 10^10.
type bucketName uint64

func bucketOfToken(group, token string) bucketName {
	return bucketName(bits.RotateLeft64(maphash.String(bucketSeed, group), 1) ^ maphash.String(bucketSeed, token))
}

func bucketOfPeer(address string) bucketName { return bucketName(maphash.String(bucketSeed, address)) }

var bucketSeed = maphash.MakeSeed()

// newLimiter returns nil, which lets everything pass, when it is not enabled.
func newLimiter(enabled bool, perSecond float64, burst int, clock ports.Clock) *limiter {
	if !enabled {
		return nil
	}
	return &limiter{perSecond: rate.Limit(perSecond), burst: burst, clock: clock, buckets: newRecent[bucketName, *rate.Limiter](maxBuckets)}
}

// take counts one request of name. A wait above zero refuses it, and says when
// the next would pass.
func (l *limiter) take(name bucketName) (wait time.Duration) { return l.takeAll(name, 1, 1) }

// takeAll counts n requests of name, or none of them. A wait above zero refuses
// them, and says when there would be as many as are needed.
func (l *limiter) takeAll(name bucketName, n, need int) (wait time.Duration) {
	if l == nil {
		return 0
	}
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, found := l.buckets.get(name)
	if !found {
		b = rate.NewLimiter(l.perSecond, l.burst)
		l.buckets.set(name, b)
	}
	if b.AllowN(now, n) {
		l.allowed.Add(uint64(n))
		return 0
	}
	return l.refuse(b, now, n, need)
}

// remembered is how many names there are buckets of.
func (l *limiter) remembered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buckets.len()
}

// most is how many requests a name can have at once; zero means any number.
func (l *limiter) most() int {
	if l == nil {
		return 0
	}
	return l.burst
}

// spent is take for a request that is not counted unless it is refused: whether
// name has used up what it may.
func (l *limiter) spent(name bucketName) (wait time.Duration) {
	if l == nil {
		return 0
	}
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, found := l.buckets.get(name)
	if !found || b.TokensAt(now) >= 1 {
		return 0
	}
	return l.refuse(b, now, 1, 1)
}

// refuse counts n refused requests, and says when so many as are needed would pass.
// The lock is held.
func (l *limiter) refuse(b *rate.Limiter, now time.Time, n, need int) (wait time.Duration) {
	l.refused.Add(uint64(n))
	missing := float64(need) - b.TokensAt(now)
	return max(time.Duration(missing/float64(l.perSecond)*float64(time.Second)), time.Millisecond)
}

// tooMany is the refusal of name, with Retry-After in whole seconds, rounded up.
func tooMany(c *gin.Context, wait time.Duration, name string) *failure {
	c.Writer.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return &failure{kind: kindRate, counted: name}
}
