package rest

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// createUser makes a user.
//
//	@Summary		Create a user of the console
//	@Description	The user may do each of the actions with each of the queues. Nobody gives rights that they do not have.
//	@ID				createUser
//	@Tags			users
//	@Accept			json
//	@Produce		json
//	@Param			request	body		CreateUser	true	"The user's name, password and rights."
//	@Success		201		{object}	User
//	@Header			201		{string}	Location	"The user's path."
//	@Failure		403		{object}	Problem		"forbidden: managing users, or rights that the caller does not have."
//	@Failure		409		{object}	Problem		"user_exists; or too_many_users"
//	@Router			/v1/users [post]
func (a api) createUser(w http.ResponseWriter, r *http.Request) error {
	var request CreateUser
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	actions, err := parseActions(request.Actions)
	if err != nil {
		return err
	}
	user, err := a.service.CreateUser(r.Context(), auth.Caller(r.Context()), service.CreateUser{
		Name: request.Name, Password: request.Password, Rights: service.Rights{Actions: actions, Queues: request.Queues},
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/users/"+user.Name)
	return writeJSON(w, http.StatusCreated, newUser(user))
}

// listUsers lists users by name.
//
//	@Summary	List users by name
//	@ID			listUsers
//	@Tags		users
//	@Produce	json
//	@Param		limit	query		int		false	"Users of one page."	minimum(1)	maximum(1000)	default(1000)
//	@Param		cursor	query		string	false	"The cursor of the page before."
//	@Success	200		{object}	UserPage
//	@Failure	403		{object}	Problem	"forbidden"
//	@Router		/v1/users [get]
func (a api) listUsers(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	page, err := a.service.ListUsers(r.Context(), auth.Caller(r.Context()), service.ListUsers{
		Limit: limit, Cursor: r.URL.Query().Get("cursor"),
	})
	if err != nil {
		return err
	}
	answer := UserPage{Users: make([]User, len(page.Users)), Cursor: page.Cursor}
	for i, user := range page.Users {
		answer.Users[i] = newUser(user)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getUser returns a user.
//
//	@Summary	Get a user
//	@ID			getUser
//	@Tags		users
//	@Produce	json
//	@Param		user	path		string	true	"The user's name."
//	@Success	200		{object}	User
//	@Failure	403		{object}	Problem	"forbidden"
//	@Failure	404		{object}	Problem	"user_not_found"
//	@Router		/v1/users/{user} [get]
func (a api) getUser(w http.ResponseWriter, r *http.Request) error {
	user, err := a.service.GetUser(r.Context(), auth.Caller(r.Context()), pathValue(r, "user"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newUser(user))
}

// updateUser changes a user's password or rights.
//
//	@Summary		Set a user's password or rights
//	@Description	Ends the user's sessions. The caller must have the rights that the user has, and those to give.
//	@ID				updateUser
//	@Tags			users
//	@Accept			json
//	@Produce		json
//	@Param			user	path		string		true	"The user's name."
//	@Param			request	body		UpdateUser	true	"What to set."
//	@Success		200		{object}	User
//	@Failure		403		{object}	Problem	"forbidden"
//	@Failure		404		{object}	Problem	"user_not_found"
//	@Router			/v1/users/{user} [patch]
func (a api) updateUser(w http.ResponseWriter, r *http.Request) error {
	var request UpdateUser
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	actions, err := parseActions(request.Actions)
	if err != nil {
		return err
	}
	user, err := a.service.UpdateUser(r.Context(), auth.Caller(r.Context()), pathValue(r, "user"), service.UpdateUser{
		Password: request.Password, Actions: actions, Queues: request.Queues,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newUser(user))
}

// deleteUser deletes a user.
//
//	@Summary		Delete a user
//	@Description	Ends the user's sessions. The caller must have the rights that the user has.
//	@ID				deleteUser
//	@Tags			users
//	@Param			user	path	string	true	"The user's name."
//	@Success		204		"The user is gone."
//	@Failure		403		{object}	Problem	"forbidden"
//	@Failure		404		{object}	Problem	"user_not_found"
//	@Router			/v1/users/{user} [delete]
func (a api) deleteUser(w http.ResponseWriter, r *http.Request) error {
	err := a.service.DeleteUser(r.Context(), auth.Caller(r.Context()), pathValue(r, "user"))
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// newUser makes a user as this dialect shows it.
func newUser(user service.User) User {
	return User{
		Name: user.Name, Actions: service.ActionNames(user.Actions), Queues: user.Queues,
		CreatedAt: user.CreatedAt.UTC(), UpdatedAt: user.UpdatedAt.UTC(),
	}
}

// parseActions reads the names of actions; of none that are given it makes none.
func parseActions(names []string) ([]service.Action, error) {
	actions, unknown := service.ParseActions(names)
	if unknown != "" {
		return nil, &service.Error{Code: service.CodeInvalidParameter, Field: "actions",
			Message: "actions names one that does not exist."}
	}
	if names != nil && actions == nil {
		actions = []service.Action{}
	}
	return actions, nil
}
