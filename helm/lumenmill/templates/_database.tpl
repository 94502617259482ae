{{/* The database: a file on the orchestrator's volume, the chart's Postgres, or an external one. */}}

{{- define "lumenmill.database.secret" -}}
{{- if eq .Values.database.kind "chart" }}{{ include "lumenmill.fullname" . }}-postgres{{ else -}}
{{ required "database.secret.name: name the Secret that holds the URL postgresql://user:password@host/database" .Values.database.secret.name }}
{{- end -}}
{{- end -}}

{{- define "lumenmill.database.key" -}}
{{- $chart := ternary "url-plain" "url-tls" (eq .Values.tls.mode "none") -}}
{{ ternary $chart .Values.database.secret.key (eq .Values.database.kind "chart") }}
{{- end -}}

{{- define "lumenmill.database.env" }}
{{- if eq .Values.database.kind "sqlite" }}
- {name: LUMENMILL_DATABASE_URL, value: "sqlite:////var/lib/lumenmill/orchestrator.sqlite"}
{{- else }}
- {name: LUMENMILL_DATABASE_URL_FILE, value: /etc/lumenmill/database-url}
{{- end }}
{{- end -}}
