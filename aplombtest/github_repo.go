package aplombtest

import (
	"fmt"
	"strconv"
	"strings"
)

// githubUser is an owner of repositories.
type githubUser struct {
	id, login string
	repos     []*githubRepo
	failing   map[int]*githubError // by place among repos
}

// githubRepo is a repository; an empty description or language is null.
type githubRepo struct {
	id, name, description, language string
	owner                           *githubUser
	stars                           int
}

// githubLanguages are given out in turn; the last is that of a repository
// without code.
var githubLanguages = []string{"Rust", "TypeScript", "Python", "Go", ""}

// SeedRepos gives login, who need not exist, n more repositories. The first one
// of all is hello-go, in Go, with 42 stars; the k-th is repo-k, where every
// fifth has neither language nor description.
func (g *GitHub) SeedRepos(login string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	user := g.user(login)
	for range n {
		k := len(user.repos) + 1
		repo := &githubRepo{id: "R_" + strconv.Itoa(len(g.repos)+1), owner: user}
		if k == 1 {
			repo.name, repo.description, repo.language, repo.stars = "hello-go", "Hello, world, with aplomb", "Go", 42
		} else {
			repo.name, repo.stars = fmt.Sprintf("repo-%02d", k), (k*37)%100
			if repo.language = githubLanguages[(k-2)%len(githubLanguages)]; repo.language != "" {
				repo.description = "Repository " + strconv.Itoa(k) + " of " + login
			}
		}
		g.repos[repo.id] = repo
		user.repos = append(user.repos, repo)
	}
}

// FailNode makes login's repository at index, counted from zero over all pages,
// one that cannot be read: its node is null, and an error of type, such as
// FORBIDDEN, has the path to its place on the page, such as
// ["user","repositories","nodes",3].
func (g *GitHub) FailNode(login string, index int, typ, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.user(login).failing[index] = &githubError{typ, message}
}

// user returns the user, made if need be. GitHub's logins ignore case.
func (g *GitHub) user(login string) *githubUser {
	key := strings.ToLower(login)
	user := g.users[key]
	if user == nil {
		user = &githubUser{id: "U_" + strconv.Itoa(len(g.users)+1), login: login, failing: map[int]*githubError{}}
		g.users[key] = user
	}
	return user
}

// resolve returns a field of the repository, or of its language.
func (r *githubRepo) resolve(typ, field string) any {
	if typ == "Language" {
		return r.language
	}
	switch field {
	case "id":
		return r.id
	case "name":
		return r.name
	case "nameWithOwner":
		return r.owner.login + "/" + r.name
	case "description":
		return orNull(r.description)
	case "url":
		return "https://github.com/" + r.owner.login + "/" + r.name
	case "stargazerCount":
		return r.stars
	case "isPrivate":
		return false
	case "owner":
		return graphqlBranch{"User", r.owner}
	case "primaryLanguage":
		if r.language != "" {
			return graphqlBranch{"Language", r}
		}
	}
	return nil
}

// githubPage is the user's repositories from one place until before another.
type githubPage struct {
	user        *githubUser
	from, until int
}

// resolve returns a field of the connection, or of its pageInfo.
func (p *githubPage) resolve(typ, field string) any {
	if typ == "PageInfo" {
		return p.info(field)
	}
	switch field {
	case "totalCount":
		return len(p.user.repos)
	case "pageInfo":
		return graphqlBranch{"PageInfo", p}
	}
	list := []any{}
	for i := p.from; i < p.until; i++ {
		if field == "edges" {
			list = append(list, graphqlBranch{"RepositoryEdge", githubEdge{p.user, i}})
		} else {
			list = append(list, p.user.node(i))
		}
	}
	return list
}

func (p *githubPage) info(field string) any {
	switch {
	case field == "hasNextPage":
		return p.until < len(p.user.repos)
	case field == "hasPreviousPage":
		return p.from > 0
	case p.from == p.until:
		return nil // an empty page has no cursors
	case field == "startCursor":
		return writeCursor(p.from + 1)
	}
	return writeCursor(p.until)
}

// githubEdge is a repository's place in a connection.
type githubEdge struct {
	user  *githubUser
	index int
}

func (e githubEdge) resolve(field string) any {
	if field == "cursor" {
		return writeCursor(e.index + 1)
	}
	return e.user.node(e.index)
}

// node returns the repository at index, or the error that is in its place.
func (u *githubUser) node(index int) any {
	if err := u.failing[index]; err != nil {
		return err
	}
	return graphqlBranch{"Repository", u.repos[index]}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
