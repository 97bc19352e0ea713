package service

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"time"
)

// User is somebody who signs in to the console by a name and a password.
type User struct {
	Account string
	Name    string // 1 to MaxUserName letters, digits and . _ @ + -, the first of which is a letter or a digit
	Rights
	CreatedAt time.Time
	UpdatedAt time.Time
}

// StoredUser is a user with what a password is compared with.
type StoredUser struct {
	User
	Password PasswordHash
}

// CreateUser asks for a user.
type CreateUser struct {
	Name     string
	Password string // MinPassword characters to MaxPassword bytes
	Rights
}

// UpdateUser names what to set; nil leaves it as it is. Either ends the user's sessions.
type UpdateUser struct {
	Password *string
	Actions  []Action
	Queues   []string
}

// ListUsers asks for a page of the account's users in the order of their names.
type ListUsers struct {
	Limit  int    // 1 to MaxListLimit; 0 means MaxListLimit
	Cursor string // of the page before; empty for the first
}

// UserPage is one page of users.
type UserPage struct {
	Users  []User
	Cursor string // of the next page; empty on the last
}

// CreateUser makes a user, or fails with CodeUserExists or CodeTooManyUsers. Nobody gives rights that they do not have.
func (s *Service) CreateUser(ctx context.Context, caller Caller, create CreateUser) (User, error) {
	user, err := s.createUser(ctx, caller, create)
	s.noteUserChange(ctx, caller, auditCreateUser, create.Name, err)
	return user, err
}

func (s *Service) createUser(ctx context.Context, caller Caller, create CreateUser) (User, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return User{}, err
	}
	if err := validUserName(create.Name); err != nil {
		return User{}, err
	}
	if err := create.valid(); err != nil {
		return User{}, err
	}
	if err := validPassword(create.Password); err != nil {
		return User{}, err
	}
	if err := s.authorizeUser(ctx, caller, User{Rights: create.Rights}); err != nil {
		return User{}, err
	}
	hash, err := s.passwords.hash(ctx, create.Password)
	if err != nil {
		return User{}, err
	}
	if err := s.recordFirst(ctx, caller, userEntry(auditCreateUser, create.Name)); err != nil {
		return User{}, err
	}
	user := User{Account: caller.Account, Name: create.Name, Rights: create.Rights}
	return s.store.CreateUser(ctx, StoredUser{User: user, Password: hash})
}

// ListUsers returns a page of users.
func (s *Service) ListUsers(ctx context.Context, caller Caller, list ListUsers) (UserPage, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return UserPage{}, err
	}
	if list.Limit == 0 {
		list.Limit = MaxListLimit
	}
	if err := validInt("limit", list.Limit, 1, MaxListLimit); err != nil {
		return UserPage{}, err
	}
	after, err := base64.RawURLEncoding.DecodeString(list.Cursor)
	if err != nil || list.Cursor != "" && !userName.Match(after) {
		return UserPage{}, invalid("cursor", "This is not a cursor of a list of users.")
	}
	users, err := s.store.ListUsers(ctx, caller.Account, string(after), list.Limit+1)
	if err != nil {
		return UserPage{}, err
	}
	page := UserPage{Users: users}
	if len(users) > list.Limit {
		page.Users = users[:list.Limit]
		page.Cursor = base64.RawURLEncoding.EncodeToString([]byte(page.Users[list.Limit-1].Name))
	}
	return page, nil
}

// GetUser returns a user.
func (s *Service) GetUser(ctx context.Context, caller Caller, name string) (User, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return User{}, err
	}
	if !userName.MatchString(name) {
		return User{}, ErrUserNotFound(name)
	}
	user, err := s.store.GetUser(ctx, caller.Account, name)
	return user.User, err
}

// UpdateUser sets a user's password or rights, and ends the user's sessions. The caller must have
// the rights that the user has, or whoever sets a password could take them, and those to give.
func (s *Service) UpdateUser(ctx context.Context, caller Caller, name string, update UpdateUser) (User, error) {
	user, err := s.updateUser(ctx, caller, name, update)
	s.noteUserChange(ctx, caller, auditUpdateUser, name, err)
	return user, err
}

func (s *Service) updateUser(ctx context.Context, caller Caller, name string, update UpdateUser) (User, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return User{}, err
	}
	if !userName.MatchString(name) {
		return User{}, ErrUserNotFound(name)
	}
	var hash PasswordHash
	if update.Password != nil {
		err := validPassword(*update.Password)
		if err == nil {
			hash, err = s.passwords.hash(ctx, *update.Password)
		}
		if err != nil {
			return User{}, err
		}
	}
	change := func(user *StoredUser) error { return s.applyUpdate(ctx, caller, user, update, hash) }
	before, err := s.store.GetUser(ctx, caller.Account, name)
	if err == nil {
		err = change(&before)
	}
	if err == nil {
		err = s.recordFirst(ctx, caller, userEntry(auditUpdateUser, name))
	}
	if err != nil {
		return User{}, err
	}
	user, err := s.store.UpdateUser(ctx, caller.Account, name, change)
	s.changedUsers(ctx)
	return user, err
}

// applyUpdate sets in user what the update names, if the caller may.
func (s *Service) applyUpdate(ctx context.Context, caller Caller, user *StoredUser, update UpdateUser, hash PasswordHash) error {
	if err := s.authorizeUser(ctx, caller, user.User); err != nil {
		return err
	}
	if update.Actions != nil {
		user.Actions = update.Actions
	}
	if update.Queues != nil {
		user.Queues = update.Queues
	}
	if err := user.valid(); err != nil {
		return err
	}
	if err := s.authorizeUser(ctx, caller, user.User); err != nil {
		return err
	}
	if hash != "" {
		user.Password = hash
	}
	return nil
}

// DeleteUser deletes a user and ends the user's sessions. The caller must have the rights that the user has.
func (s *Service) DeleteUser(ctx context.Context, caller Caller, name string) error {
	err := s.deleteUser(ctx, caller, name)
	s.noteUserChange(ctx, caller, auditDeleteUser, name, err)
	return err
}

func (s *Service) deleteUser(ctx context.Context, caller Caller, name string) error {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return err
	}
	if !userName.MatchString(name) {
		return ErrUserNotFound(name)
	}
	may := func(user User) error { return s.authorizeUser(ctx, caller, user) }
	user, err := s.store.GetUser(ctx, caller.Account, name)
	if err == nil {
		err = may(user.User)
	}
	if err == nil {
		err = s.recordFirst(ctx, caller, userEntry(auditDeleteUser, name))
	}
	if err != nil {
		return err
	}
	err = s.store.DeleteUser(ctx, caller.Account, name, may)
	s.changedUsers(ctx)
	return err
}

// authorizeUser refuses a caller who does not have the rights that a user has, or is to have.
func (s *Service) authorizeUser(ctx context.Context, caller Caller, user User) error {
	if !caller.mayGive(user.Rights, bounds{}) {
		return s.refuse(ctx, caller, ActionManageKeys, "", errTooManyRights())
	}
	return nil
}

// changedUsers has a change of users known here now, and on the other replicas soon.
func (s *Service) changedUsers(ctx context.Context) {
	s.sessions.forgetAll()
	s.changedKeys(ctx)
}

// noteUserChange notes that a change of a user was refused or failed. One that was made is in the audit log already.
func (s *Service) noteUserChange(ctx context.Context, caller Caller, action, user string, err error) {
	if err == nil {
		s.log.InfoContext(ctx, "user changed", "action", action, "user", user, "caller", caller.Name())
		return
	}
	switch ErrorCode(err) {
	case CodeUnauthenticated, CodeForbidden: // noted as a refusal
	case CodeUserNotFound, CodeInvalidParameter, CodeMissingParameter: // what stands for the name may be anything
		s.record(ctx, caller, AuditEntry{Action: action}, err)
	default:
		s.record(ctx, caller, userEntry(action, user), err)
	}
}

func userEntry(action, user string) AuditEntry {
	return AuditEntry{Action: action, Resource: "user " + user}
}

var userName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,%d}$`, MaxUserName-1))

func validUserName(name string) error {
	switch {
	case name == "":
		return &Error{Code: CodeMissingParameter, Field: "name", Message: "name is required."}
	case !userName.MatchString(name):
		return invalid("name", "A user's name has 1 to %d letters, digits and . _ @ + -, the first of which is a letter or a digit.", MaxUserName)
	}
	return nil
}

// ErrUserNotFound says that an account has no user of a name.
func ErrUserNotFound(name string) *Error {
	return Errorf(CodeUserNotFound, "There is no user %q.", withoutSecret(name))
}

func errTooManyRights() *Error {
	return Errorf(CodeForbidden, "Users can be given, and changed while they have, only rights that these credentials have too, "+
		"and none by a key that is for some networks or a time only.")
}
