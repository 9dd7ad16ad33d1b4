package vault

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"embedseal/domain/secret"
	"embedseal/ports"
)

const (
	// loginInterval is the least time between two log-ins.
	loginInterval = time.Second
	// loginPause is the longest time between two that fail. With the time that one
	// takes which hangs, it is well within five seconds.
	loginPause = 2 * time.Second
	// renewInterval is the least time between two renewals that succeed.
	renewInterval = 100 * time.Millisecond
)

// session keeps a token that Vault takes. One goroutine logs in and renews;
// callers take what there is, wait for the log-in under way, or are told at
// once why the last one failed.
//
// Vault's own LifetimeWatcher is not used: it renews at once, ends without an
// error shortly before the maximum, and waits ten seconds after a failure.
type session struct {
	logIn func(context.Context) (lease, error)
	renew func(context.Context, lease) (lease, error)
	limit time.Duration
	idle  func()
	log   *slog.Logger

	// rejected wakes the goroutine.
	rejected chan struct{}

	mu  sync.Mutex
	now credential
	// failed is why the last log-in failed; nil after one that did not.
	failed error
	// changed is closed when now or failed is new.
	changed chan struct{}
}

// lease is a token and how long it lives. Zero is for ever, or unknown.
type lease struct {
	token     secret.Text
	ttl       time.Duration
	renewable bool
}

// credential is a token in use. Each log-in has its number; a token that was
// rejected is zero.
type credential struct {
	token   secret.Text
	number  int
	expires time.Time
}

func newSession(b *Backend, idle func()) *session {
	return &session{
		logIn: b.logIn, renew: b.renew, limit: b.cfg.CallTimeout, idle: idle, log: b.cfg.Log,
		rejected: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// start begins the work; the returned func ends it and waits.
func (s *session) start(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx)
	}()
	return func() {
		cancel()
		<-done
		s.idle()
	}
}

// credential returns the token to use. Its error is a [failure].
func (s *session) credential(ctx context.Context) (credential, error) {
	for {
		s.mu.Lock()
		now, failed, changed := s.now, s.failed, s.changed
		s.mu.Unlock()
		if !now.token.IsZero() {
			return now, nil
		}
		if failed != nil {
			return credential{}, failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return credential{}, &failure{kind: ports.ErrUnavailable, where: "the log-in", text: "did not end in time", untouched: true}
		}
	}
}

// reject says that Vault refused c. Only the first who says so has an effect.
func (s *session) reject(c credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.number != c.number || s.now.token.IsZero() {
		return
	}
	s.now.token = secret.Text{}
	select {
	case s.rejected <- struct{}{}:
	default:
	}
}

// run logs in, holds the token as long as it can, and begins again.
func (s *session) run(ctx context.Context) {
	wait, interval := loginInterval, loginInterval
	for ctx.Err() == nil {
		began := time.Now()
		l, err := s.within(ctx, s.logIn)
		if err != nil {
			s.fail(ctx, err)
			pause(ctx, wait)
			wait = min(2*wait, loginPause)
			continue
		}
		wait = loginInterval
		s.use(l, began)
		if refused := s.hold(ctx, l); !refused {
			continue
		}
		// A token that is refused as soon as it is there will be again.
		if time.Since(began) > 2*loginInterval {
			interval = loginInterval
		}
		s.delay(ctx, time.Until(began.Add(interval)))
		interval = min(2*interval, loginPause)
	}
}

func (s *session) within(ctx context.Context, logIn func(context.Context) (lease, error)) (lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	return logIn(ctx)
}

// hold renews the token at two thirds of its life until it is time to log in
// again. It returns true when the token was refused.
func (s *session) hold(ctx context.Context, first lease) bool {
	began := time.Now()
	l, got := first, began
	next := s.renewal(first, l, began)
	for {
		var due <-chan time.Time
		if l.ttl > 0 {
			due = time.After(time.Until(got.Add(next)))
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.rejected:
			return true
		case <-due:
		}
		if !renewing(first, l) {
			return false
		}
		asked := time.Now()
		longer, err := s.within(ctx, func(ctx context.Context) (lease, error) { return s.renew(ctx, l) })
		if err == nil {
			l, got = longer, asked
			next = s.renewal(first, l, began)
			s.extend(asked.Add(l.ttl))
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		s.log.LogAttrs(ctx, slog.LevelWarn, "vault: the token could not be renewed", slog.String("error", err.Error()))
		left := time.Until(got.Add(l.ttl))
		if errors.Is(err, ports.ErrDenied) || left <= 0 {
			return false
		}
		next = time.Since(got) + spread(min(loginInterval, left/3+time.Millisecond))
	}
}

// renewing reports whether renewal still helps: near its maximum a token gets
// less than before, and then it is replaced.
func renewing(first, l lease) bool { return l.renewable && l.ttl >= first.ttl/10*9 }

// renewal is how long to leave a lease alone that began with a log-in.
func (s *session) renewal(first, l lease, began time.Time) time.Duration {
	if renewing(first, l) {
		return max(l.ttl/3*2, renewInterval)
	}
	return max(spread(l.ttl/3*2), loginInterval-time.Since(began))
}

// delay waits before the next log-in. Callers wait along for a second at most.
func (s *session) delay(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	if d > loginInterval {
		s.fail(ctx, &failure{kind: ports.ErrDenied, where: "Vault", text: "refuses the token that it gave", untouched: true})
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *session) use(l lease, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = credential{token: l.token, number: s.now.number + 1}
	if l.ttl > 0 {
		s.now.expires = asked.Add(l.ttl)
	}
	select { // what was said of an earlier token
	case <-s.rejected:
	default:
	}
	s.failed = nil
	s.announce()
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "vault: logged in", slog.Duration("ttl", l.ttl), slog.Bool("renewable", l.renewable))
}

func (s *session) extend(expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.expires = expires
}

// fail is told to all who wait. A token that has not expired stays in use.
func (s *session) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.now.expires.IsZero() && time.Now().After(s.now.expires) {
		s.now.token = secret.Text{}
	}
	if s.failed == nil || s.failed.Error() != err.Error() {
		s.log.LogAttrs(ctx, slog.LevelWarn, "vault: the log-in failed", slog.String("error", err.Error()))
	}
	s.failed = err
	s.announce()
}

func (s *session) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}
