# A static binary, run as nobody in an image that holds nothing else.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=docker
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-X tusq/internal/version.release=${VERSION}" -o /tusq ./cmd/tusq

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /tusq /tusq
USER 65534:65534
EXPOSE 9324
ENTRYPOINT ["/tusq"]
CMD ["serve"]
