// Package runstest judges the linker of package runs by recorded conversations:
// it reads them as the proxy would, plays them side by side, and compares what the
// linker found with what is known.
//
// It also makes conversations up, in every API, and judges the linker by those. It has
// tests only: `make runs` prints their figures.
package runstest
