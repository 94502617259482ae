{{/* Names, labels and images. Objects are named <fullname>-<component>. */}}

{{- define "lumenmill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "lumenmill" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-lumenmill" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* DNS name of a Service, for pods of any namespace: (list root "studio"). */}}
{{- define "lumenmill.host" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s.%s.svc" (include "lumenmill.fullname" $root) (index . 1) $root.Release.Namespace -}}
{{- end -}}

{{/* Selector of pods: (list root component [model or job]). */}}
{{- define "lumenmill.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: lumenmill
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if eq (len .) 3 }}
lumenmill.dev/{{ index . 1 }}: {{ index . 2 }}
{{- end }}
{{- end -}}

{{/* Labels of pod templates: without the version, since a new version of the chart must not restart unchanged pods. Arguments as
     those of the selector. */}}
{{- define "lumenmill.podLabels" -}}
{{ include "lumenmill.selector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/part-of: lumenmill
{{- end -}}

{{/* Labels of every object. Arguments as those of the selector. */}}
{{- define "lumenmill.labels" -}}
{{ include "lumenmill.podLabels" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end -}}

{{/* Image of a service: (list root "studio"). */}}
{{- define "lumenmill.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- $name := printf "lumenmill-%s:%s" (index . 1) ($image.tag | default (index . 0).Chart.AppVersion) -}}
{{- if $image.registry }}{{ trimSuffix "/" $image.registry }}/{{ end }}{{ $name -}}
{{- end -}}

{{- define "lumenmill.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
