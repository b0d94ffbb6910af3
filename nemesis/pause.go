package nemesis

var pause = Kind{
	Name:   "pause",
	Code:   "P3",
	About:  "processes freeze for longer than an election timeout or a lease, then go on as if nothing had been",
	Works:  has[Pauses],
	Check:  needNodes,
	Takes:  func(Fault) Loss { return Presence },
	Inject: freeze,
}.with(form{"one", one}, form{"minority", minority}, form{"leader", leader}, form{"role", role})
