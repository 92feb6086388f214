// Package repotest keeps the rules of this repository as tests: who may import
// whom, who owns which library, and the habits that a reviewer would otherwise
// have to remember.
//
// Every rule is data at the top of its file, and every failure names the table
// to change. Changing it is fine: it is done in plain sight, with the reason in
// the commit message.
package repotest
