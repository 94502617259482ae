{{/* Parts of NetworkPolicies. */}}

{{/* The beginning of a policy for the pods of a component: (list root "name" component [model or job]). */}}
{{- define "lumenmill.policy" -}}
{{- $root := index . 0 -}}
{{- $selected := prepend (slice . 2) $root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "lumenmill.fullname" $root }}-{{ index . 1 }}
  labels:
    {{- include "lumenmill.labels" $selected | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "lumenmill.selector" $selected | nindent 6 }}
{{- end -}}

{{/* Pods of this release as a peer: (list root component [model or job]). */}}
{{- define "lumenmill.peer" -}}
- podSelector:
    matchLabels:
      {{- include "lumenmill.selector" . | nindent 6 }}
{{- end -}}

{{/* Egress to the given peers, or to any address when there are none: (list peers ports). */}}
{{- define "lumenmill.egressTo" -}}
- ports:
    {{- range index . 1 }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with index . 0 }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Egress to the artifact store. */}}
{{- define "lumenmill.egressToStore" -}}
{{- if .Values.minio.enabled -}}
{{- include "lumenmill.egressTo" (list (include "lumenmill.peer" (list . "minio") | fromYamlArray) (list 9000)) }}
{{- else -}}
{{- $port := (split ":" .Values.store.endpoint)._1 | default (ternary "443" "80" .Values.store.secure) -}}
{{- include "lumenmill.egressTo" (list .Values.networkPolicy.s3.peers (list $port)) }}
{{- end }}
{{- end -}}

{{/* Egress to the database, unless it is SQLite. */}}
{{- define "lumenmill.egressToDatabase" -}}
{{- if eq .Values.database.kind "chart" -}}
{{- include "lumenmill.egressTo" (list (include "lumenmill.peer" (list . "postgres") | fromYamlArray) (list 5432)) }}
{{- else if eq .Values.database.kind "external" -}}
{{- include "lumenmill.egressTo" (list .Values.networkPolicy.database.peers (list .Values.networkPolicy.database.port)) }}
{{- end }}
{{- end -}}
