package httpapi

// Listening is an address that the process listens on, for whoever asks what is
// running.
type Listening struct {
	// Name is public, admin, admin-socket or ops.
	Name    string `json:"name"`
	Address string `json:"address"`
}

// The names of the listeners.
const (
	NamePublic = "public"
	NameAdmin  = "admin"
	NameSocket = "admin-socket"
	NameOps    = "ops"
)

type statusView struct {
	Version   string      `json:"version"`
	StartedAt *string     `json:"started_at"`
	Store     string      `json:"store"`
	Custody   string      `json:"custody"`
	Listeners []Listening `json:"listeners"`
	Audit     logView     `json:"audit"`
	Groups    int         `json:"groups"`
}

type logView struct {
	Log string `json:"log"`
	Seq uint64 `json:"seq"`
	OK  bool   `json:"ok"`
}

// Beside names the listeners of the process that are not these. It is called
// before [Admin.Serve].
func (a *Admin) Beside(others ...Listening) { a.beside = others }

// status is GET /admin/v1/status.
func (a *Admin) status(x *exchange) (reply, error) {
	seen, err := a.use.Overviews.Show(x.Request.Context(), x.by)
	if err != nil {
		return reply{}, err
	}
	log, err := a.use.Auditing.Status(x.by)
	if err != nil {
		return reply{}, err
	}
	return reply{body: statusView{
		Version: a.cfg.Version, StartedAt: stamp(a.started), Store: a.cfg.Store, Custody: a.cfg.Custody,
		Listeners: append(append([]Listening{}, a.beside...), a.where...), Audit: logView(log), Groups: seen.Groups,
	}}, nil
}
