package kernel

// WhileHot calls f in a Hot region. Unlike Hot it allocates nothing, which is
// for work that comes in small steps.
func WhileHot(f func()) {
	p := workers.Load()
	p.hot.Add(1)
	defer p.hot.Add(-1)
	p.start()
	p.wake(p.size - 1)
	f()
}
