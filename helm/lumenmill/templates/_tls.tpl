{{/* Certificates: one for each Service, and one for clients outside of the mesh (`client`). */}}

{{/* The Secret with an owner's tls.crt, tls.key and ca.crt: (list root "studio"). */}}
{{- define "lumenmill.tls.secret" -}}
{{- $root := index . 0 -}}
{{- if eq $root.Values.tls.mode "existing" -}}
{{ required "tls.existing.secretName: name the Secret with tls.crt, tls.key and ca.crt" $root.Values.tls.existing.secretName }}
{{- else -}}
{{ include "lumenmill.fullname" $root }}-{{ index . 1 }}-tls
{{- end -}}
{{- end -}}

{{/* All owners of a certificate, as a JSON list. */}}
{{- define "lumenmill.tls.owners" -}}
{{- $owners := list "orchestrator" "client" -}}
{{- if .Values.minio.enabled }}{{ $owners = append $owners "minio" }}{{ end -}}
{{- if eq .Values.database.kind "chart" }}{{ $owners = append $owners "postgres" }}{{ end -}}
{{- range .Values.models }}{{ $owners = append $owners .name }}{{ end -}}
{{ toJson $owners }}
{{- end -}}

{{/* The DNS names of an owner's certificate, as a JSON list: (list root owner). */}}
{{- define "lumenmill.tls.names" -}}
{{- $root := index . 0 -}}
{{- $owner := index . 1 -}}
{{- $names := list "localhost" -}}
{{- $services := list $owner -}}
{{- if eq $owner "orchestrator" -}}
{{- $services = list "orchestrator" "scaler" -}}
{{- $headless := printf "*.%s" (include "lumenmill.host" (list $root "orchestrator-headless")) -}}
{{- $names = concat $names (list $headless) $root.Values.tls.extraNames -}}
{{- end -}}
{{- range $services -}}
{{- $host := include "lumenmill.host" (list $root .) -}}
{{- $short := printf "%s-%s" (include "lumenmill.fullname" $root) . -}}
{{- $names = concat $names (list $host (printf "%s.%s" $host $root.Values.clusterDomain) $short) -}}
{{- end -}}
{{ toJson $names }}
{{- end -}}
