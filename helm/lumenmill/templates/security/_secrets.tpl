{{/* Secrets that the chart makes are no part of the release: `helm rollback` writes the release's old manifests over what is
     there, so that a token that was changed because it had leaked would be valid again. As hooks they are written by
     install and upgrade alone, which look up what is there; and only those that are missing or must be renewed are
     rendered at all, since a hook's object is deleted before it is made again. `keep` is for the upgrade of a release that
     had them in its manifest: it would delete what it no longer renders. */}}
{{- define "lumenmill.secretAnnotations" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation
helm.sh/resource-policy: keep
{{- end -}}

{{/* What the cluster's Secret holds, as JSON of encoded values: (list root "name"). Nothing without a cluster. */}}
{{- define "lumenmill.secretData" -}}
{{- (lookup "v1" "Secret" (index . 0).Release.Namespace (index . 1)).data | default dict | toJson -}}
{{- end -}}

{{/* A Secret that is made once, and never touched while it has every key: (list root component "name" new-values). Values of
     keys that it has stay as they are. */}}
{{- define "lumenmill.madeOnce" -}}
{{- $root := index . 0 -}}
{{- $name := index . 2 -}}
{{- $data := include "lumenmill.secretData" (list $root $name) | fromJson -}}
{{- $isWhole := true -}}
{{- range $key, $value := index . 3 -}}
{{- if not (hasKey $data $key) -}}
{{- $isWhole = false -}}
{{- $_ := set $data $key (b64enc $value) -}}
{{- end -}}
{{- end -}}
{{- if not $isWhole -}}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  labels:
    {{- include "lumenmill.labels" (list $root (index . 1)) | nindent 4 }}
  annotations:
    {{- include "lumenmill.secretAnnotations" . | nindent 4 }}
type: {{ ternary "kubernetes.io/tls" "Opaque" (hasKey $data "tls.crt") }}
data:
  {{- toYaml $data | nindent 2 }}
---
{{- end -}}
{{- end -}}
