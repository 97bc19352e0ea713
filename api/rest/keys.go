package rest

import (
	"net/http"
	"net/netip"
	"time"

	"tusq/api/auth"
	"tusq/service"
)

// createKey makes a key.
//
//	@Summary		Create a key
//	@Description	Makes a key that may do each of its actions with each of its queues, and no more than the caller may, from no more networks and for no longer. The answer has its secret, which is shown this once.
//	@ID				createKey
//	@Tags			keys
//	@Accept			json
//	@Produce		json
//	@Param			request	body		CreateKey	true	"What the key may do."
//	@Success		201		{object}	KeyWithSecret
//	@Header			201		{string}	Location	"The key's path."
//	@Failure		403		{object}	Problem		"forbidden: the caller may not manage keys, or may do less than the key."
//	@Failure		409		{object}	Problem		"too_many_keys; or master_key_missing: the server has nothing to seal secrets with."
//	@Router			/v1/keys [post]
func (a api) createKey(w http.ResponseWriter, r *http.Request) error {
	var request CreateKey
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	create, err := request.create()
	if err != nil {
		return err
	}
	key, credentials, err := a.service.CreateKey(r.Context(), auth.Caller(r.Context()), create)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/keys/"+key.ID)
	return writeJSON(w, http.StatusCreated, newKeyWithSecret(key, credentials))
}

// create makes the service's form of the request.
func (c CreateKey) create() (service.CreateKey, error) {
	create := service.CreateKey{Name: c.Name, Account: c.Account, Rights: service.Rights{Queues: c.Queues}}
	actions, unknown := service.ParseActions(c.Actions)
	if unknown != "" {
		return create, &service.Error{Code: service.CodeInvalidParameter, Field: "actions", Message: "There is no such action."}
	}
	create.Rights.Actions = actions
	for _, text := range c.Sources {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return create, &service.Error{Code: service.CodeInvalidParameter, Field: "sources",
				Message: "Each is a network in CIDR notation, such as 10.0.0.0/8."}
		}
		create.Sources = append(create.Sources, network.Masked())
	}
	if c.ExpiresInSeconds != nil {
		seconds := int64(*c.ExpiresInSeconds)
		if seconds < 1 || seconds > maxKeySeconds {
			return create, &service.Error{Code: service.CodeInvalidParameter, Field: "expires_in_seconds",
				Message: "expires_in_seconds must be positive, and not more than a hundred years."}
		}
		create.Expires = time.Duration(seconds) * time.Second
	}
	return create, nil
}

// maxKeySeconds is the longest life of a key, in seconds.
const maxKeySeconds = int64(service.MaxKeyLife / time.Second)

// listKeys lists an account's keys.
//
//	@Summary		List keys
//	@Description	By their ids, without those that are revoked. Those that have expired are among them.
//	@ID				listKeys
//	@Tags			keys
//	@Produce		json
//	@Param			account	query		string	false	"Whose keys, 12 digits; absent: the caller's own account. Others are listed for administrators of the deployment's own account only."
//	@Param			limit	query		int		false	"Keys of one page."	minimum(1)	maximum(1000)	default(1000)
//	@Param			cursor	query		string	false	"The cursor of the page before."
//	@Success		200		{object}	KeyPage
//	@Router			/v1/keys [get]
func (a api) listKeys(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	page, err := a.service.ListKeys(r.Context(), auth.Caller(r.Context()), service.ListKeys{
		Account: query.Get("account"), Limit: limit, Cursor: query.Get("cursor"),
	})
	if err != nil {
		return err
	}
	answer := KeyPage{Keys: make([]Key, len(page.Keys)), Cursor: page.Cursor}
	for i, key := range page.Keys {
		answer.Keys[i] = newKey(key)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getKey returns a key.
//
//	@Summary	Get a key, also one that is revoked
//	@ID			getKey
//	@Tags		keys
//	@Produce	json
//	@Param		key	path		string	true	"The key's id."
//	@Success	200	{object}	Key
//	@Failure	404	{object}	Problem	"key_not_found"
//	@Router		/v1/keys/{key} [get]
func (a api) getKey(w http.ResponseWriter, r *http.Request) error {
	key, err := a.service.GetKey(r.Context(), auth.Caller(r.Context()), pathValue(r, "key"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newKey(key))
}

// rotateKey gives a key another secret.
//
//	@Summary		Give a key another secret
//	@Description	The answer has the new secret, which is shown this once. The old one works on for the time of grace; one that was replaced before ends at once.
//	@ID				rotateKey
//	@Tags			keys
//	@Accept			json
//	@Produce		json
//	@Param			key		path		string		true	"The key's id."
//	@Param			request	body		RotateKey	false	"The time of grace."
//	@Success		200		{object}	KeyWithSecret
//	@Failure		403		{object}	Problem	"forbidden: the caller may not manage keys, or may do less than the key."
//	@Failure		404		{object}	Problem	"key_not_found"
//	@Failure		409		{object}	Problem	"master_key_missing: the server has nothing to seal secrets with."
//	@Router			/v1/keys/{key}/rotate [post]
func (a api) rotateKey(w http.ResponseWriter, r *http.Request) error {
	var request RotateKey
	if err := decodeOptionalBody(r, &request); err != nil {
		return err
	}
	rotate := service.RotateKey{ID: pathValue(r, "key")}
	if request.GraceSeconds != nil {
		seconds := min(max(int64(*request.GraceSeconds), -1), int64(service.MaxKeyGrace/time.Second)+1)
		rotate.Grace = new(time.Duration(seconds) * time.Second)
	}
	key, credentials, err := a.service.RotateKey(r.Context(), auth.Caller(r.Context()), rotate)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newKeyWithSecret(key, credentials))
}

// revokeKey ends a key.
//
//	@Summary		Revoke a key
//	@Description	It ends for ever: here at once, on all replicas within ten seconds. Receives of it that wait end with unauthenticated.
//	@ID				revokeKey
//	@Tags			keys
//	@Param			key	path	string	true	"The key's id."
//	@Success		204	"The key is revoked."
//	@Failure		403	{object}	Problem	"forbidden: the caller may not manage keys, or may do less than the key."
//	@Failure		404	{object}	Problem	"key_not_found"
//	@Router			/v1/keys/{key} [delete]
func (a api) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := a.service.RevokeKey(r.Context(), auth.Caller(r.Context()), pathValue(r, "key")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// newKey makes a key as this dialect shows it.
func newKey(key service.AccessKey) Key {
	shown := Key{
		ID:         key.ID,
		Account:    key.Account,
		Name:       key.Name,
		Actions:    service.ActionNames(key.Rights.Actions),
		Queues:     key.Rights.Queues,
		CreatedAt:  key.CreatedAt.UTC(),
		CreatedBy:  key.CreatedBy,
		ExpiresAt:  key.ExpiresAt.UTC(),
		RevokedAt:  key.RevokedAt.UTC(),
		LastUsedAt: key.LastUsedAt.UTC(),
		RetiringAt: key.RetiringAt.UTC(),
	}
	for _, network := range key.Sources {
		shown.Sources = append(shown.Sources, network.String())
	}
	return shown
}

func newKeyWithSecret(key service.AccessKey, credentials service.Credentials) KeyWithSecret {
	return KeyWithSecret{Key: newKey(key), Secret: credentials.Secret.Reveal(), Token: credentials.Token().Reveal()}
}
