{{/* Configuration of a process of the mesh: its environment, and one projected volume at /etc/lumenmill with all files.
     The files of a projected volume follow their Secrets: a rotated token or certificate needs no restart.

     Servers have the table of callers, which has no tokens in it; only those that call others have a token, each its own.

     Both templates take (dict "root" . "tls" <owner of the certificate> "needs" <list of: server, caller, token, store, database,
     files>). */}}

{{- define "lumenmill.env" -}}
{{- $values := .root.Values -}}
{{- if has "server" .needs }}
- {name: LUMENMILL_LISTEN_ADDRESS, value: "0.0.0.0:50051"}
- {name: LUMENMILL_METRICS_ADDRESS, value: "0.0.0.0:9464"}
- {name: LUMENMILL_HEALTH_ADDRESS, value: "0.0.0.0:50052"}
{{- end }}
- {name: LUMENMILL_LOG_LEVEL, value: {{ $values.logLevel }}}
{{- if ne $values.tls.mode "none" }}
- {name: LUMENMILL_TLS_CERT_FILE, value: /etc/lumenmill/tls/tls.crt}
- {name: LUMENMILL_TLS_KEY_FILE, value: /etc/lumenmill/tls/tls.key}
{{- if has "caller" .needs }}
- {name: LUMENMILL_TLS_CA_FILE, value: /etc/lumenmill/tls/ca.crt}
{{- end }}
{{- if and $values.tls.mutual (has "server" .needs) }}
- {name: LUMENMILL_TLS_CLIENT_CA_FILE, value: /etc/lumenmill/tls/ca.crt}
{{- end }}
{{- end }}
{{- if and $values.token.enabled (has "token" .needs) }}
{{- if has "caller" .needs }}
- {name: LUMENMILL_TOKEN_FILE, value: /etc/lumenmill/token}
{{- end }}
{{- if has "server" .needs }}
- {name: LUMENMILL_CALLERS_FILE, value: /etc/lumenmill/callers}
{{- end }}
{{- end }}
{{- if has "store" .needs }}
{{- include "lumenmill.store.env" .root }}
{{- end }}
{{- if has "database" .needs }}
{{- include "lumenmill.database.env" .root }}
{{- end }}
{{- end -}}

{{- define "lumenmill.configVolume" -}}
- name: config
  projected:
    defaultMode: 0440
    sources:
      {{- include "lumenmill.configSources" . | trim | default "[]" | nindent 6 }}
{{- end -}}

{{- define "lumenmill.configSources" -}}
{{- $values := .root.Values -}}
{{- $fullname := include "lumenmill.fullname" .root -}}
{{- if has "files" .needs }}
- configMap: {name: {{ $fullname }}-orchestrator}
{{- end }}
{{- if ne $values.tls.mode "none" }}
- secret:
    name: {{ include "lumenmill.tls.secret" (list .root .tls) }}
    items:
      - {key: tls.crt, path: tls/tls.crt}
      - {key: tls.key, path: tls/tls.key}
      - {key: ca.crt, path: tls/ca.crt}
{{- end }}
{{- if and $values.token.enabled (has "token" .needs) }}
- secret:
    name: {{ $values.token.secret.name | default (printf "%s-token" $fullname) }}
    items:
    {{- if has "caller" .needs }}
      - {key: {{ ternary $values.token.secret.serviceKey $values.token.secret.key (has "server" .needs) }}, path: token}
    {{- end }}
    {{- if has "server" .needs }}
      - {key: {{ $values.token.secret.callersKey }}, path: callers}
    {{- end }}
{{- end }}
{{- if has "store" .needs }}
{{ include "lumenmill.store.sources" .root }}
{{- end }}
{{- if and (has "database" .needs) (ne $values.database.kind "sqlite") }}
- secret:
    name: {{ include "lumenmill.database.secret" .root }}
    items: [{key: {{ include "lumenmill.database.key" .root }}, path: database-url}]
{{- with $values.database.caSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items: [{key: {{ .key }}, path: database-ca.crt}]
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "lumenmill.configMount" -}}
- {name: config, mountPath: /etc/lumenmill, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* The volume of /tmp. Takes its size in MiB. */}}
{{- define "lumenmill.tmpVolume" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ int . }}Mi}
{{- end -}}
