# docker build --tag tfcnn . && docker run --env TFCNN_TOKEN --publish 8000:8000 tfcnn
# With a run of your own: --volume "$PWD/models:/home/tfcnn/models:ro" ... tfcnn NAME
FROM python:3.12-slim
COPY . /src
RUN pip install --no-cache-dir --constraint /src/constraints.txt "/src[serve]" \
    && useradd --create-home --uid 1000 tfcnn
USER 1000
WORKDIR /home/tfcnn
EXPOSE 8000
ENTRYPOINT ["tfcnn", "serve", "--host", "0.0.0.0"]
CMD ["malaria"]
