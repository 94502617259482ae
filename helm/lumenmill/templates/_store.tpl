{{/* The artifact store: the chart's MinIO, or any S3 server. */}}

{{- define "lumenmill.store.secret" -}}
{{- if .Values.minio.enabled }}{{ include "lumenmill.fullname" . }}-minio{{ else -}}
{{ required "store.secret.name: name the Secret with the keys of the S3 server, or set minio.enabled" .Values.store.secret.name }}
{{- end -}}
{{- end -}}

{{/* Whether its certificate is signed by a private authority. */}}
{{- define "lumenmill.store.ownCa" -}}
{{- if or (and .Values.minio.enabled (ne .Values.tls.mode "none")) (and (not .Values.minio.enabled) .Values.store.caSecret.name) -}}
true
{{- end -}}
{{- end -}}

{{- define "lumenmill.store.env" }}
{{- $minio := .Values.minio.enabled }}
- {name: LUMENMILL_STORE_URL, value: {{ .Values.store.url | quote }}}
{{- if $minio }}
- {name: LUMENMILL_S3_ENDPOINT, value: "{{ include "lumenmill.host" (list . "minio") }}:9000"}
- {name: LUMENMILL_S3_SECURE, value: {{ ne .Values.tls.mode "none" | quote }}}
{{- else }}
- {name: LUMENMILL_S3_ENDPOINT, value: {{ required "store.endpoint: host:port of the S3 server, or set minio.enabled" .Values.store.endpoint | quote }}}
- {name: LUMENMILL_S3_SECURE, value: {{ .Values.store.secure | quote }}}
{{- end }}
- {name: LUMENMILL_S3_REGION, value: {{ .Values.store.region | quote }}}
- {name: LUMENMILL_S3_ACCESS_KEY_FILE, value: /etc/lumenmill/s3/access-key}
- {name: LUMENMILL_S3_SECRET_KEY_FILE, value: /etc/lumenmill/s3/secret-key}
{{- if include "lumenmill.store.ownCa" . }}
- {name: LUMENMILL_S3_CA_FILE, value: /etc/lumenmill/{{ ternary "tls" "s3" $minio }}/ca.crt}
{{- end }}
{{- end -}}

{{- define "lumenmill.store.sources" -}}
{{- $secret := .Values.store.secret -}}
- secret:
    name: {{ include "lumenmill.store.secret" . }}
    items:
      - {key: {{ ternary "access-key" $secret.accessKey .Values.minio.enabled }}, path: s3/access-key}
      - {key: {{ ternary "secret-key" $secret.secretKey .Values.minio.enabled }}, path: s3/secret-key}
{{- if and (not .Values.minio.enabled) .Values.store.caSecret.name }}
- secret:
    name: {{ .Values.store.caSecret.name }}
    items: [{key: {{ .Values.store.caSecret.key }}, path: s3/ca.crt}]
{{- end }}
{{- end -}}
